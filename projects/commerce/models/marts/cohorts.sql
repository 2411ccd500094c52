with orders as (

    select
        store_id,
        order_id,
        person_id,
        cast(date_trunc('month', date_key) as date) as month,
        order_number
    from {{ ref('fact_orders') }}
    where person_id is not null and not is_test

),

persons as (

    select store_id, person_id, month as cohort_month from orders where order_number = 1

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

ordered as (

    select
        orders.store_id,
        persons.cohort_month,
        orders.month,
        count(distinct orders.person_id) as active_persons,
        count(*) as orders
    from orders
    inner join persons on orders.store_id = persons.store_id and orders.person_id = persons.person_id
    group by orders.store_id, persons.cohort_month, orders.month

),

spent as (

    select
        days.store_id,
        persons.cohort_month,
        cast(date_trunc('month', days.business_date) as date) as month,
        {{ total('days.net_sales') }} as net_sales
    from {{ ref('int_person_days') }} as days
    inner join persons on days.store_id = persons.store_id and days.person_id = persons.person_id
    group by 1, 2, 3

)

select
    cells.store_id,
    cells.cohort_month,
    cast(date_diff('month', cells.cohort_month, cells.activity_month) as integer) as months_since,
    cells.activity_month,
    cells.cohort_size,
    cells.is_complete,
    case when cells.is_complete then coalesce(ordered.active_persons, 0) end as active_persons,
    case when cells.is_complete then coalesce(ordered.orders, 0) end as orders,
    case when cells.is_complete then coalesce(spent.net_sales, 0) end as net_sales
from cells
left join ordered
    on cells.store_id = ordered.store_id
    and cells.cohort_month = ordered.cohort_month
    and cells.activity_month = ordered.month
left join spent
    on cells.store_id = spent.store_id
    and cells.cohort_month = spent.cohort_month
    and cells.activity_month = spent.month
