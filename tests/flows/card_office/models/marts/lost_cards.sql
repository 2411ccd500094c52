{{ vault_deletions(ref('card_lists'), key='member_hk') }}
