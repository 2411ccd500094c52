-- Of every order and kind of entry: rows and amounts of silver whose order line (or order) has arrived, and the ledger's.
{% set key = ['store_id', 'order_id'] %}
with lines as (

    select store_id, order_id, line_no
    from {{ penstock_tested(ref('int_order_lines'), key, affected='changed_sales') }}

),

orders as (

    select store_id, order_id from {{ penstock_tested(ref('int_orders'), key, affected='changed_sales') }}

),

plain as (

    select '{{ var("plain_store") }}' as store_id, transaction_id as order_id, amount
    from {{ ref('stg_plain_transactions') }}

),

arrived as (

    select items.store_id, items.order_id, 'sale' as entry_type, items.list_price * items.quantity as amount
    from {{ ref('stg_order_items') }} as items
    semi join orders on items.store_id = orders.store_id and items.order_id = orders.order_id
    union all
    select store_id, order_id, 'sale' as entry_type, amount
    from {{ penstock_tested('plain', key, affected='changed_sales') }}
    union all
    select parts.store_id, parts.order_id, 'discount' as entry_type, -parts.amount as amount
    from {{ ref('stg_discounts') }} as parts
    semi join lines
        on parts.store_id = lines.store_id and parts.order_id = lines.order_id and parts.line_no = lines.line_no
    union all
    select parts.store_id, parts.order_id, 'tax' as entry_type, parts.amount
    from {{ ref('stg_taxes') }} as parts
    semi join lines
        on parts.store_id = lines.store_id and parts.order_id = lines.order_id and parts.line_no = lines.line_no
    union all
    select parts.store_id, parts.order_id, 'return' as entry_type, -parts.amount as amount
    from {{ ref('stg_refund_lines') }} as parts
    semi join lines
        on parts.store_id = lines.store_id and parts.order_id = lines.order_id and parts.order_line_no = lines.line_no
    union all
    select parts.store_id, parts.order_id, 'restock' as entry_type, 0 as amount
    from {{ ref('stg_return_lines') }} as parts
    semi join lines
        on parts.store_id = lines.store_id and parts.order_id = lines.order_id and parts.order_line_no = lines.line_no
    where parts.restocked
    union all
    select charges.store_id, charges.order_id, 'shipping' as entry_type, charges.amount
    from {{ ref('stg_shipping_charges') }} as charges
    semi join orders on charges.store_id = orders.store_id and charges.order_id = orders.order_id
    union all
    select cards.store_id, cards.order_id, 'gift_card' as entry_type, cards.amount
    from {{ ref('stg_gift_card_sales') }} as cards
    semi join orders on cards.store_id = orders.store_id and cards.order_id = orders.order_id

),

entries as (

    select store_id, order_id, entry_type, amount, true as is_silver from arrived
    union all
    select store_id, order_id, entry_type, amount, false as is_silver
    from {{ penstock_tested(ref('sales_ledger'), key, affected='changed_sales') }}
    where entry_type <> 'cancellation'

),

counted as (

    select
        store_id,
        order_id,
        entry_type,
        count(*) filter (where is_silver) as silver_entries,
        count(*) filter (where not is_silver) as ledger_entries,
        coalesce(sum(amount) filter (where is_silver), 0) as silver_amount,
        coalesce(sum(amount) filter (where not is_silver), 0) as ledger_amount
    from entries
    group by store_id, order_id, entry_type

)

select store_id, order_id, entry_type, silver_entries, ledger_entries, silver_amount, ledger_amount
from counted
where silver_entries <> ledger_entries or silver_amount <> ledger_amount
