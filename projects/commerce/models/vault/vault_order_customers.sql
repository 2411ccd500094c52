{{ config(materialized='view', schema='staging') }}

with orders as (

    select * from {{ ref('stg_orders') }}

)

select
    store_id,
    customer_id,
    order_id,
    tenant,
    record_source,
    loaded_at,
    _new
from orders
where customer_id is not null
