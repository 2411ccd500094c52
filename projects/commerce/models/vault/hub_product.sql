{{ vault_hub('product', key=['store_id', 'product_id'], sources=[ref('stg_products'), ref('vault_order_products')]) }}
