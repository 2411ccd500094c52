{{ config(schema='staging') }}

select store_id, order_id from {{ ref('changed_headers') }}
union
select store_id, order_id from {{ ref('changed_sales') }}
union
select store_id, order_id
from {{ penstock_changed(
    ref('int_order_totals'),
    ['store_id', 'order_id'],
    columns=['is_paid', 'failed_payments', 'payment_method', 'paid_at'],
) }}
