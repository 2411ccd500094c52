with sales as (

    select * from {{ ref('fact_sales') }}

),

customers as (

    select
        customer_key,
        max_by(country, row(invoiced_at, invoice_no, country)) as country,
        min(date_key) filter (where is_purchase) as first_purchase_date,
        max(date_key) filter (where is_purchase) as last_purchase_date,
        count(distinct invoice_no) filter (where is_purchase) as purchases
    from sales
    where customer_key <> -1
    group by customer_key

),

guest as (

    select
        cast(-1 as bigint) as customer_key,
        cast(null as varchar) as country,
        cast(null as date) as first_purchase_date,
        cast(null as date) as last_purchase_date,
        cast(null as bigint) as purchases

),

members as (

    select customer_key, country, first_purchase_date, last_purchase_date, purchases from customers
    union all
    select customer_key, country, first_purchase_date, last_purchase_date, purchases from guest

)

select
    customer_key,
    nullif(customer_key, -1) as customer_id,
    customer_key = -1 as is_guest,
    country,
    first_purchase_date,
    last_purchase_date,
    cast(date_trunc('month', first_purchase_date) as date) as cohort_month,
    purchases
from members
order by customer_key
