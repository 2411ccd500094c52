{{ vault_hub('order', key=['store_id', 'order_id'], sources=[ref('stg_orders'), ref('vault_order_products')]) }}
