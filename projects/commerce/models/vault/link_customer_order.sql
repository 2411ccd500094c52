{{ vault_link(
    'customer_order',
    hubs={'customer': ['store_id', 'customer_id'], 'order': ['store_id', 'order_id']},
    sources=ref('vault_order_customers'),
) }}
