select
    store_id,
    person_id,
    as_of_date,
    recency_days,
    orders as frequency,
    net_sales as monetary_value,
    recency_score,
    frequency_score,
    monetary_score,
    segment
from {{ ref('customer_snapshots') }}
where is_latest and orders > 0
