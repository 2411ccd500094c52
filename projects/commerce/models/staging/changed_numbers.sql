{{ config(schema='staging') }}

select store_id, order_id from {{ penstock_changes(ref('int_order_totals')) }}
union
select store_id, order_id from {{ penstock_changes(ref('int_order_numbers')) }}
