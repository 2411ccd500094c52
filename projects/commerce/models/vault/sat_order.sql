{{ vault_satellite(
    'order',
    key=['store_id', 'order_id'],
    payload=['placed_at', 'status', 'channel', 'currency', 'is_test', 'ship_country', 'ship_region'],
    sources=ref('stg_orders'),
    applied='updated_at',
) }}
