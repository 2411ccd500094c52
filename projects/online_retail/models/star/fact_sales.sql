{{ config(materialized='incremental', incremental_strategy='append') }}

with lines as (

    select * from {{ penstock_new(ref('stg_order_lines')) }}

)

select
    line_key,
    date_key,
    customer_key,
    product_key,
    invoice_no,
    invoiced_at,
    country,
    quantity,
    unit_price,
    line_value,
    product_value,
    is_cancellation,
    is_adjustment,
    is_product,
    is_purchase,
    source_file,
    source_line
from lines
