-- The versions of an order, as the view has them, begin at moments of their own.
{{ versions_that_overlap('sat_order', 'order_hk') }}
