{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'order_lines') }}

),

renamed as (

    select
        _tenant as tenant,
        _file as source_file,
        _line as source_line,
        invoice_no,
        stock_code,
        description,
        quantity,
        unit_price,
        invoice_time as invoiced_at,
        customer_id,
        country,
        _new
    from source

),

classified as (

    select
        *,
        invoice_no like 'C%' as is_cancellation,
        invoice_no like 'A%' as is_adjustment,
        regexp_matches(stock_code, '^[0-9]{5}[A-Za-z]*$') as is_product,
        cast(
            cast(quantity as decimal(12, 0)) * cast(unit_price as decimal(18, 4)) as decimal(18, 4)
        ) as line_value
    from renamed

)

select
    {{ penstock_key('line', ['source_file', 'source_line'], tenant='tenant') }} as line_key,
    cast(invoiced_at as date) as date_key,
    coalesce(customer_id, -1) as customer_key,
    stock_code as product_key,
    customer_id,
    stock_code,
    description,
    invoice_no,
    invoiced_at,
    country,
    quantity,
    unit_price,
    line_value,
    is_cancellation,
    is_adjustment,
    is_product,
    not is_cancellation and not is_adjustment and quantity > 0 as is_purchase,
    case when is_product then line_value else 0 end as product_value,
    source_file,
    source_line,
    _new
from classified
