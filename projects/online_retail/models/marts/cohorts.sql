with customers as (

    select * from {{ ref('dim_customer') }}

),

sales as (

    select * from {{ ref('fact_sales') }}

),

months as (

    select distinct month, is_month_complete from {{ ref('dim_date') }}

),

cohort_sizes as (

    select
        cohort_month,
        count(*) as cohort_size
    from customers
    where cohort_month is not null
    group by cohort_month

),

cells as (

    select
        cohort_sizes.cohort_month,
        cohort_sizes.cohort_size,
        months.month as activity_month,
        cast(date_diff('month', cohort_sizes.cohort_month, months.month) as integer) as months_since,
        months.is_month_complete as is_complete
    from cohort_sizes
    inner join months on months.month >= cohort_sizes.cohort_month

),

activity as (

    select
        customers.cohort_month,
        cast(date_trunc('month', sales.date_key) as date) as activity_month,
        count(distinct sales.customer_key) as active_customers,
        cast(sum(sales.line_value) as decimal(24, 4)) as revenue
    from sales
    inner join customers on sales.customer_key = customers.customer_key
    where sales.is_purchase and customers.cohort_month is not null
    group by 1, 2

)

select
    cells.cohort_month,
    cells.months_since,
    cells.activity_month,
    cells.cohort_size,
    cells.is_complete,
    case when cells.is_complete then coalesce(activity.active_customers, 0) end as active_customers,
    case when cells.is_complete then coalesce(activity.revenue, 0) end as revenue
from cells
left join activity
    on cells.cohort_month = activity.cohort_month
    and cells.activity_month = activity.activity_month
order by cells.cohort_month, cells.months_since
