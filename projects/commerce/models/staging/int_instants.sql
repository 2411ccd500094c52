{{ config(schema='staging') }}
{{ penstock_by_sums(['day', 'has_passed'], counted='instants') }}

{%- set instants = {
    'orders': 'updated_at',
    'order_events': 'occurred_at',
    'payments': 'occurred_at',
    'shipment_lines': 'updated_at',
    'refund_lines': 'refunded_at',
    'return_lines': 'received_at',
    'sessions': 'ended_at',
    'inventory_movements': 'occurred_at',
    'plain_transactions': 'occurred_at',
} %}

with counted as (
    {% for dataset, instant in instants.items() %}
    select
        cast({{ instant }} as date) as day,
        {{ instant }} <= _ingested_at + interval 1 day as has_passed,
        {{ penstock_count() }} as instants
    from {{ penstock_moves(source('silver', dataset)) }}
    where {{ instant }} is not null
    group by 1, 2
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

)

select
    day,
    has_passed,
    cast(sum(instants) as bigint) as instants
from counted
group by day, has_passed
