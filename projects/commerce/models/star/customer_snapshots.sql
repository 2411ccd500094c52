with horizon as (

    select last_day from {{ ref('int_horizon') }}

),

dates as (

    select distinct dates.month_end as as_of_date
    from (select distinct last_day(date_key) as month_end from {{ ref('dim_date') }}) as dates
    cross join horizon
    where dates.month_end < horizon.last_day
    union
    select last_day as as_of_date from horizon

),

orders as (

    select store_id, person_id, order_id, date_key, wholly_cancelled_date
    from {{ ref('fact_orders') }}
    where person_id is not null and not is_test

),

-- An order counts until it is wholly cancelled.
placed as (

    select
        orders.store_id,
        orders.person_id,
        dates.as_of_date,
        min(orders.date_key) as first_order_date,
        max(orders.date_key) filter (
            where orders.wholly_cancelled_date is null or orders.wholly_cancelled_date > dates.as_of_date
        ) as last_order_date,
        count(*) filter (
            where orders.wholly_cancelled_date is null or orders.wholly_cancelled_date > dates.as_of_date
        ) as orders
    from orders
    inner join dates on orders.date_key <= dates.as_of_date
    group by orders.store_id, orders.person_id, dates.as_of_date

),

-- What moved within a month counts from its end on, or from the last day.
spent as (

    select
        days.store_id,
        days.person_id,
        least(last_day(days.business_date), horizon.last_day) as until_date,
        {{ total('days.net_sales') }} as net_sales,
        {{ total('days.cost') }} as cost
    from {{ ref('int_person_days') }} as days
    cross join horizon
    where days.business_date <= horizon.last_day
    group by days.store_id, days.person_id, until_date

),

running as (

    select
        store_id,
        person_id,
        until_date,
        cast(sum(net_sales) over until_now as decimal(38, 12)) as net_sales,
        cast(sum(cost) over until_now as decimal(38, 12)) as cost
    from spent
    window until_now as (partition by store_id, person_id order by until_date rows unbounded preceding)

),

valued as (

    select
        placed.store_id,
        placed.person_id,
        placed.as_of_date,
        placed.first_order_date,
        placed.last_order_date,
        placed.orders,
        coalesce(running.net_sales, 0) as net_sales,
        coalesce(running.cost, 0) as cost
    from placed
    asof left join running
        on placed.store_id = running.store_id
        and placed.person_id = running.person_id
        and placed.as_of_date >= running.until_date

),

-- Persons without an order that stands are ranked among themselves, and have no score.
ranked as (

    select
        *,
        orders > 0 as is_scored,
        count(*) over everyone as persons,
        row_number() over (everyone order by last_order_date, person_id) - 1 as recency_rank,
        row_number() over (everyone order by orders, person_id) - 1 as frequency_rank,
        row_number() over (everyone order by net_sales, person_id) - 1 as monetary_rank
    from valued
    window everyone as (partition by store_id, as_of_date, orders > 0)

),

scored as (

    select
        * exclude (recency_rank, frequency_rank, monetary_rank),
        case when is_scored then cast(1 + recency_rank * 5 // persons as integer) end as recency_score,
        case when is_scored then cast(1 + frequency_rank * 5 // persons as integer) end as frequency_score,
        case when is_scored then cast(1 + monetary_rank * 5 // persons as integer) end as monetary_score
    from ranked

)

select
    scored.store_id,
    scored.person_id,
    scored.as_of_date,
    scored.as_of_date = horizon.last_day as is_latest,
    scored.first_order_date,
    scored.last_order_date,
    cast(scored.as_of_date - scored.last_order_date as integer) as recency_days,
    scored.orders,
    scored.net_sales,
    cast(scored.net_sales - scored.cost as decimal(38, 12)) as gross_profit,
    scored.recency_score,
    scored.frequency_score,
    scored.monetary_score,
    case
        when not scored.is_scored then 'no order'
        when scored.recency_score >= 4 and scored.frequency_score >= 4 then 'champions'
        when scored.recency_score >= 3 and scored.frequency_score >= 3 then 'loyal'
        when scored.recency_score >= 4 then 'recent'
        when scored.recency_score = 3 then 'promising'
        when scored.frequency_score >= 4 then 'at risk'
        when scored.frequency_score >= 2 then 'hibernating'
        else 'lost'
    end as segment
from scored
cross join horizon
