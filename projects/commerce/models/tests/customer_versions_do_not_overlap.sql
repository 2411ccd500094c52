-- The versions of a customer, as the view has them, begin at moments of their own.
with customers as (

    select customer_hk
    from {{ penstock_tested(ref('hub_customer'), ['store_id', 'customer_id'], affected='changed_customers') }}

),

told as (

    select versions.*
    from {{ ref('sat_customer') }} as versions
    semi join customers on versions.customer_hk = customers.customer_hk

)

select customer_hk, valid_from, count(*) as versions
from ({{ vault_versions('told', key='customer_hk') }})
group by customer_hk, valid_from
having count(*) > 1
