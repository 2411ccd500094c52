with sales as (

    select * from {{ ref('fact_sales') }}

),

months as (

    select distinct month, is_month_complete from {{ ref('dim_date') }}

),

totals as (

    select
        cast(date_trunc('month', date_key) as date) as month,
        count(*) as lines,
        count(distinct invoice_no) as invoices,
        count(distinct customer_key) filter (where customer_key <> -1) as customers,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(line_value) as decimal(24, 4)) as revenue,
        cast(sum(product_value) as decimal(24, 4)) as product_revenue,
        cast(coalesce(sum(line_value) filter (where is_cancellation), 0) as decimal(24, 4)) as cancelled_value
    from sales
    group by 1

)

select
    months.month,
    months.is_month_complete as is_complete,
    coalesce(totals.lines, 0) as lines,
    coalesce(totals.invoices, 0) as invoices,
    coalesce(totals.customers, 0) as customers,
    coalesce(totals.quantity, 0) as quantity,
    coalesce(totals.revenue, 0) as revenue,
    coalesce(totals.product_revenue, 0) as product_revenue,
    coalesce(totals.cancelled_value, 0) as cancelled_value
from months
left join totals on months.month = totals.month
order by months.month
