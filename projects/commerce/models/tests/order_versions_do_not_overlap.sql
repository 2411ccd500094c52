-- The versions of an order, as the view has them, begin at moments of their own.
{{ versions_that_overlap(
    'hub_order', 'sat_order', 'order_hk', by=['store_id', 'order_id'], affected='changed_headers'
) }}
