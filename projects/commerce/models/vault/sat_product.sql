{{ vault_satellite(
    'product',
    key=['store_id', 'product_id'],
    payload=['name', 'category', 'subcategory', 'brand', 'status'],
    sources=ref('stg_products'),
    applied='updated_at',
    deleted='is_deleted',
) }}
