-- Per kind of entry: rows and amounts of silver whose order line (or order) has arrived, against the ledger's.
with lines as (

    select store_id, order_id, line_no from {{ ref('int_order_lines') }}

),

orders as (

    select store_id, order_id from {{ ref('int_orders') }}

),

arrived as (

    select 'sale' as entry_type, count(*) as entries, sum(items.list_price * items.quantity) as amount
    from {{ ref('stg_order_items') }} as items
    semi join orders on items.store_id = orders.store_id and items.order_id = orders.order_id
    union all
    select 'sale' as entry_type, count(*) as entries, sum(amount) as amount
    from {{ ref('stg_plain_transactions') }}
    union all
    select 'discount' as entry_type, count(*) as entries, -sum(parts.amount) as amount
    from {{ ref('stg_discounts') }} as parts
    semi join lines
        on parts.store_id = lines.store_id and parts.order_id = lines.order_id and parts.line_no = lines.line_no
    union all
    select 'tax' as entry_type, count(*) as entries, sum(parts.amount) as amount
    from {{ ref('stg_taxes') }} as parts
    semi join lines
        on parts.store_id = lines.store_id and parts.order_id = lines.order_id and parts.line_no = lines.line_no
    union all
    select 'return' as entry_type, count(*) as entries, -sum(parts.amount) as amount
    from {{ ref('stg_refund_lines') }} as parts
    semi join lines
        on parts.store_id = lines.store_id and parts.order_id = lines.order_id and parts.order_line_no = lines.line_no
    union all
    select 'restock' as entry_type, count(*) as entries, 0 as amount
    from {{ ref('stg_return_lines') }} as parts
    semi join lines
        on parts.store_id = lines.store_id and parts.order_id = lines.order_id and parts.order_line_no = lines.line_no
    where parts.restocked
    union all
    select 'shipping' as entry_type, count(*) as entries, sum(charges.amount) as amount
    from {{ ref('stg_shipping_charges') }} as charges
    semi join orders on charges.store_id = orders.store_id and charges.order_id = orders.order_id
    union all
    select 'gift_card' as entry_type, count(*) as entries, sum(cards.amount) as amount
    from {{ ref('stg_gift_card_sales') }} as cards
    semi join orders on cards.store_id = orders.store_id and cards.order_id = orders.order_id

),

expected as (

    select entry_type, sum(entries) as entries, coalesce(sum(amount), 0) as amount
    from arrived
    group by entry_type

),

found as (

    select entry_type, count(*) as entries, sum(amount) as amount
    from {{ ref('sales_ledger') }}
    where entry_type <> 'cancellation'
    group by entry_type

)

select
    expected.entry_type,
    expected.entries as silver_entries,
    coalesce(found.entries, 0) as ledger_entries,
    expected.amount as silver_amount,
    coalesce(found.amount, 0) as ledger_amount
from expected
left join found on expected.entry_type = found.entry_type
where expected.entries <> coalesce(found.entries, 0) or expected.amount <> coalesce(found.amount, 0)
