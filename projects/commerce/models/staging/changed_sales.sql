{{ config(schema='staging') }}

with lines as not materialized (

    select store_id, order_id, product_id, variant_id from {{ ref('stg_order_items') }}
    union all
    select
        '{{ var("plain_store") }}' as store_id,
        transaction_id as order_id,
        product_id,
        null as variant_id
    from {{ ref('stg_plain_transactions') }}

),

-- The versions and the costs of what was ordered.
articles as (

    select lines.store_id, lines.order_id, products.holds_from, products.holds_to
    from lines
    inner join ({{ changed_spans(ref('dim_product'), ['store_id', 'product_id']) }}) as products
        on lines.store_id = products.store_id
        and lines.product_id = products.product_id
    union all
    select lines.store_id, lines.order_id, costs.valid_from as holds_from, {{ last_instant() }} as holds_to
    from lines
    inner join {{ penstock_changes(source('silver', 'product_costs')) }} as costs
        on lines.store_id = costs.store_id
        and lines.variant_id = costs.variant_id

)

{% for dataset in [
    'order_items', 'order_lines', 'discounts', 'taxes', 'shipping_charges', 'gift_card_sales', 'refund_lines',
    'return_lines',
] -%}
select store_id, order_id from {{ penstock_changes(source('silver', dataset)) }}
union
{% endfor -%}
select store_id, order_id from {{ penstock_changes(source('silver', 'order_events')) }} where event_type = 'cancelled'
union
select '{{ var("plain_store") }}' as store_id, transaction_id as order_id
from {{ penstock_changes(source('silver', 'plain_transactions')) }}
where transaction_id is not null
union
-- How far an order is and who the person is does not matter to its lines.
select store_id, order_id
from {{ penstock_changed(
    ref('int_orders'),
    ['store_id', 'order_id'],
    columns=[
        'placed_at', 'placed_date', 'timezone', 'channel', 'is_test', 'ship_country', 'ship_region', 'customer_id',
        'customer_key', 'currency', 'base_currency', 'fx_rate',
    ],
) }}
union
select orders.store_id, orders.order_id
from {{ ref('int_orders') }} as orders
semi join {{ penstock_changes(source('silver', 'fx_rates')) }} as rates on orders.placed_date = rates.rate_date
union
select orders.store_id, orders.order_id
from {{ ref('int_orders') }} as orders
inner join articles
    on orders.store_id = articles.store_id
    and orders.order_id = articles.order_id
    and orders.placed_at >= articles.holds_from
    and orders.placed_at < articles.holds_to
