with persons as (

    select
        store_id,
        person_id,
        cast(date_trunc('month', date_key) as date) as cohort_month
    from {{ ref('fact_orders') }}
    where order_number = 1

),

sizes as (

    select store_id, cohort_month, count(*) as cohort_size from persons group by store_id, cohort_month

),

months as (

    select distinct month, is_month_complete from {{ ref('dim_date') }}

),

bounds as (

    select cast(date_trunc('month', last_day) as date) as last_month from {{ ref('int_horizon') }}

),

cells as (

    select
        sizes.store_id,
        sizes.cohort_month,
        sizes.cohort_size,
        months.month as activity_month,
        months.is_month_complete as is_complete
    from sizes
    cross join bounds
    inner join months on months.month >= sizes.cohort_month and months.month <= bounds.last_month

),

moved as (

    select
        persons.store_id,
        persons.cohort_month,
        cast(date_trunc('month', months.month_end) as date) as month,
        count(*) filter (where months.orders_of_month > 0) as active_persons,
        cast(sum(months.orders_of_month) as bigint) as orders,
        {{ total('months.net_sales_of_month') }} as net_sales
    from {{ ref('int_person_months') }} as months
    inner join persons on months.store_id = persons.store_id and months.person_id = persons.person_id
    group by 1, 2, 3

)

select
    cells.store_id,
    cells.cohort_month,
    cast(date_diff('month', cells.cohort_month, cells.activity_month) as integer) as months_since,
    cells.activity_month,
    cells.cohort_size,
    cells.is_complete,
    case when cells.is_complete then coalesce(moved.active_persons, 0) end as active_persons,
    case when cells.is_complete then coalesce(moved.orders, 0) end as orders,
    case when cells.is_complete then coalesce(moved.net_sales, 0) end as net_sales
from cells
left join moved
    on cells.store_id = moved.store_id
    and cells.cohort_month = moved.cohort_month
    and cells.activity_month = moved.month
