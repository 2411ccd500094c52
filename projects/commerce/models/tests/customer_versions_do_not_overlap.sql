-- The versions of a customer, as the view has them, begin at moments of their own.
{{ versions_that_overlap('sat_customer', 'customer_hk') }}
