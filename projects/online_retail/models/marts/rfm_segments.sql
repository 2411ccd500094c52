with sales as (

    select * from {{ ref('fact_sales') }}

),

as_of as (

    select max(date_key) as as_of_date from sales

),

persons as (

    select
        customer_key,
        max(date_key) as last_purchase_date,
        count(distinct invoice_no) as frequency,
        cast(sum(line_value) as decimal(24, 4)) as monetary_value
    from sales
    where is_purchase and customer_key <> -1
    group by customer_key

),

ranked as (

    select
        customer_key,
        last_purchase_date,
        frequency,
        monetary_value,
        count(*) over () as persons,
        row_number() over (order by last_purchase_date, customer_key) - 1 as recency_rank,
        row_number() over (order by frequency, customer_key) - 1 as frequency_rank,
        row_number() over (order by monetary_value, customer_key) - 1 as monetary_rank
    from persons

),

scored as (

    select
        customer_key,
        last_purchase_date,
        frequency,
        monetary_value,
        cast(1 + (recency_rank * 5) // persons as integer) as recency_score,
        cast(1 + (frequency_rank * 5) // persons as integer) as frequency_score,
        cast(1 + (monetary_rank * 5) // persons as integer) as monetary_score
    from ranked

)

select
    scored.customer_key,
    as_of.as_of_date,
    cast(as_of.as_of_date - scored.last_purchase_date as integer) as recency_days,
    scored.frequency,
    scored.monetary_value,
    scored.recency_score,
    scored.frequency_score,
    scored.monetary_score,
    case
        when recency_score >= 4 and frequency_score >= 4 then 'champions'
        when recency_score >= 3 and frequency_score >= 3 then 'loyal'
        when recency_score >= 4 then 'recent'
        when recency_score = 3 then 'promising'
        when frequency_score >= 4 then 'at risk'
        when frequency_score >= 2 then 'hibernating'
        else 'lost'
    end as segment
from scored
cross join as_of
order by scored.customer_key
