{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'order_id'], affected='changed_sales') }}

select
    store_id,
    order_id,
    count(*) filter (where entry_type = 'sale') as lines,
    cast(sum(quantity) as bigint) as quantity,
    cast(coalesce(sum(units) filter (where entry_type = 'sale'), 0) as bigint) as ordered_quantity,
    cast(coalesce(sum(units) filter (where entry_type = 'cancellation'), 0) as bigint) as cancelled_quantity,
    cast(coalesce(sum(units) filter (where entry_type = 'return'), 0) as bigint) as refunded_quantity,
    max(business_date) filter (where entry_type = 'cancellation') as cancelled_date,
    {{ order_sum('amount', "entry_type in ('sale', 'discount')") }} as amount,
    {{ order_sum('amount', "entry_type <> 'return'") }} as due_amount,
    {{ order_sum('-amount', "entry_type = 'return'") }} as refund_amount,
    {{ base_sum('base_amount', "entry_type in ('sale', 'discount')") }} as base_amount,
    {{ base_sum('base_amount', "entry_type = 'sale'") }} as gross_sales,
    {{ base_sum('-base_amount', "entry_type = 'return'") }} as returns,
    {{ base_sum('base_amount', 'is_net_sales') }} as net_sales,
    {{ base_sum('base_cost') }} as cost,
    bool_or(base_amount is null) as lacks_rate,
    bool_or(base_cost is null) as lacks_cost
from {{ penstock_affected(ref('sales_ledger')) }}
group by store_id, order_id
