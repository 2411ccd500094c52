{{ vault_hub('product', key=['store_id', 'product_id'], sources=[ref('stg_products'), ref('stg_order_items')]) }}
