{{ config(schema='staging') }}

{%- set instants = {
    'stg_orders': 'updated_at',
    'stg_order_events': 'occurred_at',
    'stg_payments': 'occurred_at',
    'stg_shipment_lines': 'updated_at',
    'stg_refund_lines': 'refunded_at',
    'stg_return_lines': 'received_at',
    'stg_sessions': 'ended_at',
    'stg_inventory_movements': 'occurred_at',
    'stg_plain_transactions': 'occurred_at',
} %}

with latest as (
    {% for model, instant in instants.items() %}
    select
        max({{ instant }}) as instant,
        max({{ instant }}) filter (where {{ instant }} <= loaded_at + interval 1 day) as passed
    from {{ ref(model) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

)

select cast(coalesce(max(passed), max(instant)) as date) as last_day
from latest
having max(instant) is not null
