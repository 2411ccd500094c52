{{ config(materialized='view', schema='staging') }}

-- What a line is told to have been discounted by counts until the line itself is delivered.
with source as (

    select
        store_id,
        order_id,
        line_no,
        allocation_no,
        code,
        amount,
        _tenant,
        _source,
        _file,
        _line,
        _ingested_at,
        _new
    from {{ source('silver', 'discounts') }}
    union all
    select
        store_id,
        order_id,
        line_no,
        0 as allocation_no,
        null as code,
        discount_amount as amount,
        _tenant,
        _source,
        _file,
        _line,
        _ingested_at,
        _new
    from {{ source('silver', 'order_lines') }} as told
    where discount_amount > 0
        and not exists (
            select 1 from {{ source('silver', 'order_items') }} as delivered
            where delivered.store_id = told.store_id
                and delivered.order_id = told.order_id
                and delivered.line_no = told.line_no
        )

)

select
    store_id,
    order_id,
    line_no,
    allocation_no,
    code,
    amount,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
