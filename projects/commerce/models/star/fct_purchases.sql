{{ penstock_by_key(['store_id', 'order_id'], affected='changed_purchases', slice_by='date_key') }}

{%- set said -%}
    line_key, store_id, order_id, line_no, date_key, placed_at, channel, customer_key, customer_id, product_key,
    product_id, variant_id, quantity, currency, list_price, gross_amount, discount_amount, amount, base_currency,
    base_amount
{%- endset %}

with sold as (

    select
        *,
        placed_date as date_key,
        cast(gross_amount - discount_amount as decimal(24, 4)) as amount,
        {{ in_base('(gross_amount - discount_amount)', 'fx_rate') }} as base_amount
    from {{ penstock_affected(ref('int_order_lines'), of='changed_sales') }}
    where not is_test

),

lines as (

    select {{ said }} from sold
    {%- if is_incremental() %}
    union all
    select {{ said }} from {{ penstock_stood(but='changed_sales') }}
    {%- endif %}

),

orders as (

    select
        store_id,
        order_id,
        status,
        ship_region,
        is_paid,
        cast(failed_payments as integer) as failed_payments,
        payment_method,
        paid_at
    from {{ penstock_affected(ref('int_order_totals')) }}

),

customers as (

    select customer_key, is_guest, segment, is_member, country, region from {{ ref('dim_customer') }}

),

products as (

    select product_key, category, subcategory, brand from {{ ref('dim_product') }}

)

select
    lines.line_key,
    lines.store_id,
    lines.order_id,
    lines.line_no,
    lines.date_key,
    lines.placed_at,
    lines.channel,
    lines.customer_key,
    lines.customer_id,
    customers.is_guest,
    customers.segment,
    customers.is_member,
    customers.country,
    coalesce(customers.region, orders.ship_region) as region,
    lines.product_key,
    lines.product_id,
    lines.variant_id,
    products.category,
    products.subcategory,
    products.brand,
    lines.quantity,
    lines.currency,
    lines.list_price,
    lines.gross_amount,
    lines.discount_amount,
    lines.amount,
    lines.base_currency,
    lines.base_amount,
    orders.status as order_status,
    orders.is_paid,
    orders.payment_method,
    orders.paid_at,
    orders.failed_payments
from lines
inner join orders on lines.store_id = orders.store_id and lines.order_id = orders.order_id
inner join customers on lines.customer_key = customers.customer_key
inner join products on lines.product_key = products.product_key
