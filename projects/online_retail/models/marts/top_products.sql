with sales as (

    select * from {{ ref('fact_sales') }}

),

products as (

    select * from {{ ref('dim_product') }}

),

totals as (

    select
        product_key,
        cast(sum(product_value) as decimal(24, 4)) as revenue,
        cast(sum(quantity) as bigint) as quantity,
        count(distinct invoice_no) filter (where is_purchase) as purchases
    from sales
    where is_product
    group by product_key

),

ranked as (

    select
        cast(row_number() over (order by revenue desc, product_key) as integer) as position,
        product_key,
        revenue,
        quantity,
        purchases
    from totals

)

select
    ranked.position,
    ranked.product_key,
    products.description,
    ranked.revenue,
    ranked.quantity,
    ranked.purchases
from ranked
inner join products on ranked.product_key = products.product_key
where ranked.position <= 100
order by ranked.position
