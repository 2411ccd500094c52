{{ vault_link(
    'order_product',
    hubs={'order': ['store_id', 'order_id'], 'product': ['store_id', 'product_id']},
    sources=ref('vault_order_products'),
) }}
