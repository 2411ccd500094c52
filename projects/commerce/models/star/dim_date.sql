with used as (

    select min(business_date) as first_day, max(business_date) as last_day from {{ ref('sales_ledger') }}
    union all
    select min(business_date) as first_day, max(business_date) as last_day from {{ ref('int_payments') }}
    union all
    select min(date_key) as first_day, max(date_key) as last_day from {{ ref('fact_sessions') }}
    union all
    select min(date_key) as first_day, max(date_key) as last_day from {{ ref('fact_ad_spend') }}
    union all
    select min(date_key) as first_day, max(date_key) as last_day from {{ ref('fact_deliveries') }}
    union all
    select last_day as first_day, last_day from {{ ref('int_horizon') }}

),

bounds as (

    select
        date_trunc('month', min(first_day)) as first_day,
        last_day(max(last_day)) as last_day
    from used

),

days as (

    select
        cast(unnest(generate_series(cast(first_day as timestamp), cast(last_day as timestamp), interval 1 day)) as date)
            as date_key
    from bounds

)

select
    days.date_key,
    cast(date_trunc('month', days.date_key) as date) as month,
    cast(year(days.date_key) as integer) as year,
    cast(quarter(days.date_key) as integer) as quarter,
    cast(month(days.date_key) as integer) as month_of_year,
    cast(day(days.date_key) as integer) as day_of_month,
    cast(isoyear(days.date_key) as integer) as iso_year,
    cast(week(days.date_key) as integer) as iso_week,
    cast(isodow(days.date_key) as integer) as iso_weekday,
    isodow(days.date_key) >= 6 as is_weekend,
    coalesce(days.date_key < horizon.last_day, false) as is_complete,
    coalesce(last_day(days.date_key) < horizon.last_day, false) as is_month_complete
from days
left join {{ ref('int_horizon') }} as horizon on true
