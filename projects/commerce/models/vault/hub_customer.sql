{{ vault_hub(
    'customer',
    key=['store_id', 'customer_id'],
    sources=[ref('stg_customers'), ref('vault_order_customers')],
) }}
