{{ config(schema='staging') }}

select store_id, order_id from {{ ref('changed_orders') }}
union
select store_id, order_id from {{ penstock_changes(ref('fact_orders')) }}
