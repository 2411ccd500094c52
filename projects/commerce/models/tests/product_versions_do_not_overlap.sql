-- The versions of a product, as the view has them, begin at moments of their own.
{{ versions_that_overlap(
    'hub_product', 'sat_product', 'product_hk', by=['store_id', 'product_id'], affected='changed_products'
) }}
