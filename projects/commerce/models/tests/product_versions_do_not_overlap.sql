-- The versions of a product, as the view has them, begin at moments of their own.
{{ versions_that_overlap('sat_product', 'product_hk') }}
