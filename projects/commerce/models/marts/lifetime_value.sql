with persons as (

    select
        store_id,
        person_id,
        date_key as first_day,
        cast(date_trunc('month', date_key) as date) as cohort_month
    from {{ ref('fact_orders') }}
    where order_number = 1

),

horizons as (

    select unnest([30, 90, 365]) as horizon_days

),

sizes as (

    select store_id, cohort_month, count(*) as cohort_size from persons group by store_id, cohort_month

),

-- Gross profit of the cohort by days since the first order of each person.
earned as (

    select
        days.store_id,
        persons.cohort_month,
        days.business_date - persons.first_day as day,
        cast({{ total('days.net_sales') }} - {{ total('days.cost') }} as decimal(38, 12)) as gross_profit
    from {{ ref('int_person_days') }} as days
    inner join persons on days.store_id = persons.store_id and days.person_id = persons.person_id
    group by 1, 2, 3

),

totals as (

    select
        earned.store_id,
        earned.cohort_month,
        horizons.horizon_days,
        {{ base_sum('earned.gross_profit', 'earned.day <= horizons.horizon_days') }} as gross_profit
    from earned
    cross join horizons
    group by 1, 2, 3

),

judged as (

    select
        totals.*,
        stores.base_currency,
        sizes.cohort_size,
        last_day(totals.cohort_month) + totals.horizon_days < horizon.last_day as is_complete
    from totals
    inner join sizes on totals.store_id = sizes.store_id and totals.cohort_month = sizes.cohort_month
    left join {{ ref('int_stores') }} as stores on totals.store_id = stores.store_id
    cross join {{ ref('int_horizon') }} as horizon

)

select
    store_id,
    cohort_month,
    cast(horizon_days as integer) as horizon_days,
    cohort_size,
    is_complete,
    base_currency,
    case when is_complete then gross_profit end as gross_profit,
    case when is_complete then {{ per_piece('gross_profit', 'cohort_size') }} end as lifetime_value
from judged
