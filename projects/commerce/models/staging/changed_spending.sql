{{ config(schema='staging') }}

select distinct store_id, date_key from {{ penstock_changes(ref('daily_user_spend')) }}
