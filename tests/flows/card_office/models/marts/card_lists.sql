{{ vault_tracking('member', key=['member_id'], sources=ref('stg_card_lists'), snapshots=ref('stg_card_lists')) }}
