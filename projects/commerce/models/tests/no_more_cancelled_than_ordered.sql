-- A line cannot lose more units than it has, nor give back more discount than it was given.
with lines as (

    select
        store_id,
        order_id,
        line_no,
        sum(quantity) filter (where entry_type in ('sale', 'cancellation')) as units,
        sum(amount) filter (where entry_type in ('sale', 'discount', 'cancellation')) as amount
    from {{ penstock_tested(ref('sales_ledger'), ['store_id', 'order_id'], affected='changed_sales') }}
    where entry_type in ('sale', 'discount', 'cancellation') and product_key <> 'none'
    group by store_id, order_id, line_no

)

select store_id, order_id, line_no, units, amount
from lines
where units < 0 or (units = 0 and amount <> 0)
