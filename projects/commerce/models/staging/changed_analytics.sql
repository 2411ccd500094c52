{{ config(schema='staging') }}

select store_id, order_id from {{ penstock_changes(source('silver', 'orders')) }}
union
select store_id, order_id from {{ ref('changed_sales') }}
