{{ config(schema='staging') }}

select store_id, customer_id from {{ penstock_changes(source('silver', 'customers')) }}
union
select store_id, customer_id from {{ penstock_changes(ref('int_persons')) }}
