with sales as (

    select * from {{ ref('fact_sales') }}

),

bounds as (

    select
        date_trunc('month', min(date_key)) as first_day,
        last_day(max(date_key)) as last_day,
        max(date_key) as data_until
    from sales

),

days as (

    select
        cast(unnest(generate_series(cast(first_day as timestamp), cast(last_day as timestamp), interval 1 day)) as date) as date_key,
        data_until
    from bounds

)

select
    date_key,
    cast(date_trunc('month', date_key) as date) as month,
    cast(year(date_key) as integer) as year,
    cast(quarter(date_key) as integer) as quarter,
    cast(month(date_key) as integer) as month_of_year,
    cast(day(date_key) as integer) as day_of_month,
    cast(isoyear(date_key) as integer) as iso_year,
    cast(week(date_key) as integer) as iso_week,
    cast(isodow(date_key) as integer) as iso_weekday,
    isodow(date_key) >= 6 as is_weekend,
    last_day(date_key) <= data_until as is_month_complete
from days
order by date_key
