{{ config(schema='staging') }}

-- What is read in several places is read apart in each: only what each needs.
with orders as not materialized (

    select store_id, order_id, customer_id, placed_at from {{ ref('stg_orders') }}
    union all
    select
        '{{ var("plain_store") }}' as store_id,
        transaction_id as order_id,
        customer_id,
        occurred_at as placed_at
    from {{ ref('stg_plain_transactions') }}

),

lines as not materialized (

    select store_id, order_id, product_id, variant_id from {{ ref('stg_order_items') }}
    union all
    select
        '{{ var("plain_store") }}' as store_id,
        transaction_id as order_id,
        product_id,
        null as variant_id
    from {{ ref('stg_plain_transactions') }}

),

-- A row of the order itself.
told as (

    {% for dataset in [
        'orders', 'order_items', 'order_lines', 'order_events', 'discounts', 'taxes', 'shipping_charges',
        'gift_card_sales', 'payments', 'refund_lines', 'return_lines', 'shipment_lines',
    ] -%}
    select store_id, order_id from {{ penstock_changes(source('silver', dataset)) }}
    union all
    {% endfor -%}
    select '{{ var("plain_store") }}' as store_id, transaction_id as order_id
    from {{ penstock_changes(source('silver', 'plain_transactions')) }}

),

-- When other versions hold than before, or say something else.
customers as (

    {{ changed_spans(ref('dim_customer'), ['store_id', 'customer_id']) }}
    union all
    select
        store_id,
        customer_id,
        {{ first_instant() }} as holds_from,
        {{ last_instant() }} as holds_to
    from {{ penstock_changes(ref('int_persons')) }}

),

products as (

    {{ changed_spans(ref('dim_product'), ['store_id', 'product_id']) }}

),

-- The versions and the person of who placed it, its store, and the rates of its day.
placed as (

    select orders.store_id, orders.order_id
    from orders
    inner join customers
        on orders.store_id = customers.store_id
        and orders.customer_id = customers.customer_id
        and orders.placed_at >= customers.holds_from
        and orders.placed_at < customers.holds_to
    union all
    select orders.store_id, orders.order_id
    from orders
    semi join {{ penstock_changes(ref('int_stores')) }} as stores on orders.store_id = stores.store_id
    union all
    select orders.store_id, orders.order_id
    from orders
    inner join {{ changed_days() }} as rates on {{ lies_in('orders.placed_at', 'rates.day') }}

),

-- The versions and the costs of what was ordered.
articles as materialized (

    select lines.store_id, lines.order_id, products.holds_from, products.holds_to
    from lines
    inner join products
        on lines.store_id = products.store_id
        and lines.product_id = products.product_id
    union all
    select lines.store_id, lines.order_id, costs.valid_from as holds_from, {{ last_instant() }} as holds_to
    from lines
    inner join {{ penstock_changes(source('silver', 'product_costs')) }} as costs
        on lines.store_id = costs.store_id
        and lines.variant_id = costs.variant_id

),

-- Looked for before moments are compared: they are few.
ordered as (

    select orders.store_id, orders.order_id, orders.placed_at
    from orders
    semi join (select distinct store_id, order_id from articles) as known
        on orders.store_id = known.store_id
        and orders.order_id = known.order_id

)

select store_id, order_id from told where order_id is not null
union
select store_id, order_id from placed
union
select ordered.store_id, ordered.order_id
from ordered
inner join articles
    on ordered.store_id = articles.store_id
    and ordered.order_id = articles.order_id
    and ordered.placed_at >= articles.holds_from
    and ordered.placed_at < articles.holds_to
