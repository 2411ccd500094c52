{{ config(schema='staging') }}

with orders as (

    select store_id, order_id, customer_id, placed_at from {{ ref('stg_orders') }}
    union all
    select
        '{{ var("plain_store") }}' as store_id,
        transaction_id as order_id,
        customer_id,
        occurred_at as placed_at
    from {{ ref('stg_plain_transactions') }}

),

lines as (

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

customers as (

    select store_id, customer_id from {{ penstock_changes(ref('dim_customer')) }}
    union
    select store_id, customer_id from {{ penstock_changes(ref('int_persons')) }}

),

-- The versions and the person of who placed it, its store, and the rates of its day.
placed as (

    select orders.store_id, orders.order_id
    from orders
    semi join customers
        on orders.store_id = customers.store_id
        and orders.customer_id = customers.customer_id
    union all
    select orders.store_id, orders.order_id
    from orders
    semi join {{ penstock_changes(ref('int_stores')) }} as stores on orders.store_id = stores.store_id
    union all
    select orders.store_id, orders.order_id
    from orders
    semi join {{ changed_days() }} as rates on cast(orders.placed_at as date) = rates.day

),

-- The versions and the costs of what was ordered.
articles as (

    select lines.store_id, lines.order_id
    from lines
    semi join {{ penstock_changes(ref('dim_product')) }} as products
        on lines.store_id = products.store_id
        and lines.product_id = products.product_id
    union all
    select lines.store_id, lines.order_id
    from lines
    inner join {{ penstock_changes(source('silver', 'product_costs')) }} as costs
        on lines.store_id = costs.store_id
        and lines.variant_id = costs.variant_id
    inner join orders
        on lines.store_id = orders.store_id
        and lines.order_id = orders.order_id
        and orders.placed_at >= costs.valid_from

)

select store_id, order_id from told where order_id is not null
union
select store_id, order_id from placed
union
select store_id, order_id from articles
