{{ config(materialized='view', schema='staging') }}

select
    store_id,
    customer_id,
    updated_at,
    email,
    first_name,
    last_name,
    phone,
    country,
    region,
    city,
    segment,
    is_member,
    marketing_consent,
    created_at,
    is_deleted
from {{ ref('stg_customers') }}
qualify row_number() over (partition by store_id, customer_id order by updated_at desc) = 1
