with valued as (

    select
        months.store_id,
        months.person_id,
        least(months.month_end, horizon.last_day) as as_of_date,
        months.month_end >= horizon.last_day as is_latest,
        months.first_order_date,
        months.last_order_date,
        months.orders,
        months.net_sales,
        months.cost
    from {{ ref('int_person_months') }} as months
    cross join {{ ref('int_horizon') }} as horizon

),

-- The last of each fifth but the highest. Persons without an order that stands have no score.
fifths as (

    select
        store_id,
        as_of_date,
        {{ ends_of_fifths('last_order_date') }} as recency,
        {{ ends_of_fifths('orders') }} as frequency,
        {{ ends_of_fifths('net_sales') }} as monetary
    from valued
    where orders > 0
    group by store_id, as_of_date

),

scored as (

    select
        valued.*,
        {{ fifth('last_order_date', 'fifths.recency') }} as recency_score,
        {{ fifth('orders', 'fifths.frequency') }} as frequency_score,
        {{ fifth('net_sales', 'fifths.monetary') }} as monetary_score
    from valued
    left join fifths
        on valued.store_id = fifths.store_id
        and valued.as_of_date = fifths.as_of_date
        and valued.orders > 0

)

select
    store_id,
    person_id,
    as_of_date,
    is_latest,
    first_order_date,
    last_order_date,
    cast(as_of_date - last_order_date as integer) as recency_days,
    orders,
    net_sales,
    cast(net_sales - cost as decimal(38, 12)) as gross_profit,
    recency_score,
    frequency_score,
    monetary_score,
    case
        when orders = 0 then 'no order'
        when recency_score >= 4 and frequency_score >= 4 then 'champions'
        when recency_score >= 3 and frequency_score >= 3 then 'loyal'
        when recency_score >= 4 then 'recent'
        when recency_score = 3 then 'promising'
        when frequency_score >= 4 then 'at risk'
        when frequency_score >= 2 then 'hibernating'
        else 'lost'
    end as segment
from scored
