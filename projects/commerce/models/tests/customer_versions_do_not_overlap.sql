-- The versions of a customer, as the view has them, begin at moments of their own.
{{ versions_that_overlap(
    'hub_customer', 'sat_customer', 'customer_hk', by=['store_id', 'customer_id'], affected='changed_customers'
) }}
