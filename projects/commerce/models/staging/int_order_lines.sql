{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'order_id'], affected='changed_sales') }}

with items as (

    select
        store_id,
        order_id,
        line_no,
        variant_id,
        product_id,
        quantity,
        list_price,
        cast(list_price * quantity as decimal(24, 4)) as gross_amount
    from {{ penstock_affected(ref('stg_order_items')) }}
    union all
    select
        '{{ var("plain_store") }}' as store_id,
        transaction_id as order_id,
        1 as line_no,
        null as variant_id,
        product_id,
        coalesce(quantity, 1) as quantity,
        null as list_price,
        amount as gross_amount
    from {{ ref('stg_plain_transactions') }}

),

discounts as (

    select
        store_id,
        order_id,
        line_no,
        cast(sum(amount) as decimal(24, 4)) as discount_amount
    from {{ penstock_affected(ref('stg_discounts')) }}
    group by store_id, order_id, line_no

),

products as (

    select
        store_id,
        product_id,
        product_key,
        {{ version_holds_from() }} as holds_from,
        {{ version_holds_to() }} as holds_to
    from {{ ref('dim_product') }}
    where product_id is not null

),

costs as (

    select
        store_id,
        variant_id,
        unit_cost,
        currency,
        valid_from as holds_from,
        lead(valid_from, 1, timestamptz '9999-01-01 00:00:00+00') over (
            partition by store_id, variant_id order by valid_from
        ) as holds_to
    from {{ ref('stg_product_costs') }}
    {%- if is_incremental() %}
    semi join items using (store_id, variant_id)
    {%- endif %}

),

lines as (

    select
        items.*,
        orders.* exclude (store_id, order_id),
        coalesce(discounts.discount_amount, 0) as discount_amount
    from items
    inner join {{ penstock_affected(ref('int_orders')) }} as orders
        on items.store_id = orders.store_id
        and items.order_id = orders.order_id
    left join discounts
        on items.store_id = discounts.store_id
        and items.order_id = discounts.order_id
        and items.line_no = discounts.line_no

),

valued as (

    select
        lines.*,
        coalesce(products.product_key, 'unknown') as product_key,
        costs.unit_cost,
        costs.currency as cost_currency
    from lines
    left join products
        on lines.store_id = products.store_id
        and lines.product_id = products.product_id
        and lines.placed_at >= products.holds_from
        and lines.placed_at < products.holds_to
    left join costs
        on lines.store_id = costs.store_id
        and lines.variant_id = costs.variant_id
        and lines.placed_at >= costs.holds_from
        and lines.placed_at < costs.holds_to

)

select
    {{ penstock_key('line', ['valued.order_id', 'valued.line_no'], tenant='valued.store_id') }} as line_key,
    valued.store_id,
    valued.order_id,
    valued.line_no,
    valued.placed_at,
    valued.placed_date,
    valued.timezone,
    valued.channel,
    valued.is_test,
    valued.ship_country,
    valued.ship_region,
    valued.customer_id,
    valued.customer_key,
    valued.variant_id,
    valued.product_id,
    valued.product_key,
    valued.quantity,
    valued.list_price,
    valued.gross_amount,
    valued.discount_amount,
    valued.currency,
    valued.base_currency,
    valued.fx_rate,
    valued.unit_cost,
    valued.cost_currency,
    case when valued.cost_currency = valued.base_currency then 1 else rates.rate end as cost_rate
from valued
left join {{ ref('stg_fx_rates') }} as rates
    on valued.placed_date = rates.rate_date
    and valued.cost_currency = rates.from_currency
    and valued.base_currency = rates.to_currency
