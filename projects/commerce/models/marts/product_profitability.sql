with entries as (

    select
        ledger.*,
        customers.is_member
    from {{ ref('sales_ledger') }} as ledger
    inner join {{ ref('dim_customer') }} as customers on ledger.customer_key = customers.customer_key
    where not ledger.is_test and ledger.product_key <> 'none'

),

totals as (

    select
        store_id,
        coalesce(product_id, 'unknown') as product_id,
        is_member,
        any_value(base_currency) as base_currency,
        {{ sales_columns() }},
        count(*) filter (where entry_type = 'sale' and base_cost is null) as lines_without_cost
    from entries
    group by store_id, coalesce(product_id, 'unknown'), is_member

),

-- Counted apart: to tell orders apart takes a table of them, and every line of an order has one sale.
placed as (

    select store_id, product_id, is_member, count(*) as orders
    from (
        select distinct
            ledger.store_id,
            coalesce(ledger.product_id, 'unknown') as product_id,
            customers.is_member,
            ledger.order_id
        from {{ ref('sales_ledger') }} as ledger
        inner join {{ ref('dim_customer') }} as customers on ledger.customer_key = customers.customer_key
        where ledger.entry_type = 'sale' and not ledger.is_test and ledger.product_key <> 'none'
    )
    group by store_id, product_id, is_member

),

products as (

    select store_id, product_id, name, category from {{ ref('dim_product') }} where is_current

)

select
    totals.store_id,
    totals.product_id,
    products.name,
    coalesce(products.category, 'unknown') as category,
    totals.is_member,
    totals.base_currency,
    placed.orders,
    totals.quantity,
    totals.gross_sales,
    totals.discounts,
    totals.cancellations,
    totals.returns,
    totals.net_sales,
    totals.cost,
    totals.gross_profit,
    totals.lines_without_cost
from totals
inner join placed
    on totals.store_id = placed.store_id
    and totals.product_id = placed.product_id
    and totals.is_member is not distinct from placed.is_member
left join products on totals.store_id = products.store_id and totals.product_id = products.product_id
