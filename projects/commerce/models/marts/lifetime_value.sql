with persons as (

    select
        store_id,
        person_id,
        date_key as first_day,
        cast(date_trunc('month', date_key) as date) as cohort_month
    from {{ ref('fact_orders') }}
    where order_number = 1

),

orders as (

    select placed.store_id, placed.order_id, persons.cohort_month, persons.first_day
    from {{ ref('fact_orders') }} as placed
    inner join persons on placed.store_id = persons.store_id and placed.person_id = persons.person_id
    where not placed.is_test

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
        orders.store_id,
        orders.cohort_month,
        ledger.business_date - orders.first_day as day,
        any_value(ledger.base_currency) as base_currency,
        cast(
            {{ base_sum('ledger.base_amount', 'ledger.is_net_sales') }} - {{ base_sum('ledger.base_cost') }}
            as decimal(38, 12)
        ) as gross_profit
    from {{ ref('sales_ledger') }} as ledger
    inner join orders on ledger.store_id = orders.store_id and ledger.order_id = orders.order_id
    group by 1, 2, 3

),

totals as (

    select
        earned.store_id,
        earned.cohort_month,
        horizons.horizon_days,
        any_value(earned.base_currency) as base_currency,
        {{ base_sum('earned.gross_profit', 'earned.day <= horizons.horizon_days') }} as gross_profit
    from earned
    cross join horizons
    group by 1, 2, 3

),

judged as (

    select
        totals.*,
        sizes.cohort_size,
        last_day(totals.cohort_month) + totals.horizon_days < horizon.last_day as is_complete
    from totals
    inner join sizes on totals.store_id = sizes.store_id and totals.cohort_month = sizes.cohort_month
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
